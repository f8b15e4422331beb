/**
 * Scribe, the log collector: names, ids and types that its clients know. Categories and messages are bytes, because
 * what is logged need not be UTF-8. handlers/scribe.py answers it.
 */

include "fb303.thrift"

enum ResultCode {
  OK = 0
  /** Nothing is said of which entries have been kept: send all of them again. */
  TRY_LATER = 1
}

struct LogEntry {
  1: binary category,
  2: binary message
}

service scribe extends fb303.FacebookService {
  ResultCode Log(1: list<LogEntry> messages)
}
