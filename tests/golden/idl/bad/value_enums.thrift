enum E { RED, BLUE }
enum F { GREEN }
const E A = E.REDD
const E B = F.GREEN
const E C = 9
const E D = "RED"
const E G = ORANGE
const E H = 1.5
const i32 I = E.PINK
