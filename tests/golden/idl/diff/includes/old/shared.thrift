struct User { 1: string email, 2: i32 age }
struct Address { 1: string city }
service Base { string whoami(), void ping() }
const i32 LIMIT = 5
