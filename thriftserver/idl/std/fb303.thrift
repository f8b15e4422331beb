/**
 * The service that monitoring tools of the fb303 kind ask: name, status, counters, options. Names, ids and types are
 * those of Apache Thrift's contrib/fb303, so that its clients work. `include "fb303.thrift"` finds this file where no
 * other of that name is found; thriftserver answers the methods that a handler does not write.
 */

/** How a service is. */
enum fb_status {
  DEAD = 0
  STARTING = 1
  ALIVE = 2
  STOPPING = 3
  STOPPED = 4
  /** It answers, but somebody should look at it. */
  WARNING = 5
}

service FacebookService {
  /** What the service is called. */
  string getName()

  /** Which release of it is running. */
  string getVersion()

  fb_status getStatus()

  /** The status in words: what it waits for, or what is wrong. */
  string getStatusDetails()

  /** Every counter by its name. */
  map<string, i64> getCounters()

  /** One counter; 0 for one that does not exist. */
  i64 getCounter(1: string key)

  void setOption(1: string key, 2: string value)

  /** An option that was set; empty for one that was not. */
  string getOption(1: string key)

  map<string, string> getOptions()

  /** What took the time during so many seconds, in a format that client and server agree on. */
  string getCpuProfile(1: i32 profileDurationInSec)

  /** When the service was started, in seconds since 1970. */
  i64 aliveSince()

  /** Asks the service to read its configuration again. */
  oneway void reinitialize()

  /** Asks the service to stop. */
  oneway void shutdown()
}
