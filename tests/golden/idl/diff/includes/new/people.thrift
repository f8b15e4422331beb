struct Person { 1: string mail, 2: i64 age }
