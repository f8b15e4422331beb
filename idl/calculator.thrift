/** A calculator: the smallest service worth running. */

/** What to do with the two numbers of a Work. */
enum Operation {
  ADD = 1,
  SUBTRACT,
  MULTIPLY,
  DIVIDE
}

/** One calculation. */
struct Work {
  1: required double left,
  2: required double right,
  3: Operation operation = Operation.ADD,
  4: optional string comment   // goes to the log, if it is there
}

exception DivisionByZero {
  1: double dividend
}

/** An operation that this server does not know; a newer client may know more of them. */
exception InvalidOperation {
  1: Operation operation,
  2: string message
}

/** The sum or product of two i32 always fits an i64, so only division can fail. */
service Calculator {
  i64 add(1: i32 a, 2: i32 b),
  i64 subtract(1: i32 a, 2: i32 b),
  i64 multiply(1: i32 a, 2: i32 b),
  double divide(1: i32 a, 2: i32 b) throws (1: DivisionByZero zero),

  /** Do a whole Work at once. */
  double calculate(1: Work work) throws (1: DivisionByZero zero, 2: InvalidOperation invalid),

  /** Write a line to the server's log. The caller does not wait, and never hears of it. */
  oneway void note(1: string text)
}
