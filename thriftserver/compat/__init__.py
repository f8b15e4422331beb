"""The client interfaces of other Thrift libraries over this project's own, for code whose imports alone are to change.

A folder for each library, with modules of the names that it has them under; docs/migrating.md says what differs.
"""
