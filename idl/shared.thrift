/** What every service of this house has in common: extend Base, raise InvalidInput. */

/** Milliseconds since 1970-01-01 UTC. */
typedef i64 Timestamp

/** A value that its type allows and the service does not. */
exception InvalidInput {
  1: required string field,     // where it is, from the argument on: profile.contacts[1]
  2: required string problem
}

/** Who is answering. */
struct About {
  1: required string name,
  2: required Timestamp started,
  3: required i32 worker        // the process id: one address may have several workers behind it
}

service Base {
  /** Does nothing, so an answer says that the service is up. */
  void ping(),

  About about()
}
