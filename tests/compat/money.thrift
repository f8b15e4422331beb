struct Price { 1: required i32 cents, 2: string currency = "EUR" }
