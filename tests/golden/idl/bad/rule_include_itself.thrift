include "rule_include_itself.thrift"
