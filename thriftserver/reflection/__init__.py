"""A server tells its IDL over Thrift itself: the contract, the half that tells and the half that asks."""
