include "shared.thrift"
struct Team { 1: list<shared.User> members }
service App extends shared.Base { Team team(1: string name) }
