struct P { 1: i32 x, 2: string name }
const P A = {"z": 1}
const P B = {"x": "no"}
const P C = {x: 1}
const P D = [1]
const P E = {"nmae": "n"}
