include "shared.thrift"
include "people.thrift"
struct Team { 1: list<people.Person> members }
service App { Team team(1: string name), void ping() }
