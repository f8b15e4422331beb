struct Fine { 1: i32 a }
struct Bad { 1: i32 }
