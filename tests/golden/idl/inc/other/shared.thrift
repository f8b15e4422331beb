struct Second { 1: bool b }
struct Point { 1: i32 only }
