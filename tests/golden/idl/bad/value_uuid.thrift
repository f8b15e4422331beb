const uuid A = "not one"
const uuid B = 5
const uuid C = "0123456789abcdef0123456789abcdef"
