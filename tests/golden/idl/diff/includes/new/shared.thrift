struct Address { 1: binary city, 2: i32 zip }
service Base { string whoami(), void ping() }
const i32 LIMIT = 6
