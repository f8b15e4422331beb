/** A directory of users, kept in a database that all workers of the server share. */

include "shared.thrift"

typedef i64 UserId

const i32 DEFAULT_LIMIT = 20
const i32 MAX_LIMIT = 500

/** Bytes that a profile may have when it is serialized, so that the largest page fits the default frame. */
const i32 MAX_PROFILE = 32000

/** Logins that nobody can have. */
const set<string> RESERVED = ["admin", "nobody", "root"]

enum Role {
  GUEST = 0,
  MEMBER = 1,
  EDITOR = 5,
  OWNER = 9
}

struct Phone {
  1: required string number,
  2: optional string extension
}

struct Address {
  1: list<string> lines,
  2: required string city,
  3: string country = "DE"
}

/** One way to reach a user. */
union Contact {
  1: string email,
  2: Phone phone,
  3: Address address
}

/** What a user, or somebody for the user, has filled in. */
struct Profile {
  1: required string login,           // unique: 1 to 32 of a-z 0-9 . _ - and a letter first
  2: required string name,
  3: Role role = Role.MEMBER,
  4: optional string about,
  5: list<Contact> contacts = [],
  6: set<string> tags = [],
  7: map<string, string> links = {},
  8: optional binary picture
}

/** A profile and what the directory knows of it. */
struct User {
  1: required UserId id,
  2: required i32 version,            // grows by one with every update
  3: required shared.Timestamp created,
  4: optional shared.Timestamp last_seen,
  5: required Profile profile
}

/** Which users to look for. A part that is unset or empty leaves none out. */
struct Query {
  1: optional string text,            // a part of the login or the name, in any case
  2: set<Role> roles = [],            // one of these
  3: set<string> tags = []            // all of these
}

/** Users in the order of their ids, and the `after` of the next page, if there is one. */
struct Page {
  1: list<User> users,
  2: optional UserId next_after
}

struct Statistics {
  1: i64 users,
  2: map<Role, i64> by_role,
  3: map<string, i64> by_tag
}

exception NotFound {
  1: optional UserId id,
  2: optional string login
}

exception AlreadyExists {
  1: required string login
}

/** Somebody else was faster: here is what they made of it. */
exception Conflict {
  1: required User current
}

service Directory extends shared.Base {
  User create(1: Profile profile) throws (1: AlreadyExists taken, 2: shared.InvalidInput invalid),

  User get(1: UserId id) throws (1: NotFound missing),

  User find(1: string login) throws (1: NotFound missing),

  /** Those of the users that exist. */
  map<UserId, User> get_many(1: set<UserId> ids) throws (1: shared.InvalidInput invalid),

  /** Matching users with an id above `after`. To see all, pass `next_after` as `after` until it is unset. */
  Page search(1: Query query, 2: UserId after = 0, 3: i32 limit = DEFAULT_LIMIT) throws (1: shared.InvalidInput invalid),

  /** Replace a profile. `version` is the one that the caller has seen, so that nobody's change is lost. */
  User update(1: UserId id, 2: i32 version, 3: Profile profile)
    throws (1: NotFound missing, 2: Conflict conflict, 3: AlreadyExists taken, 4: shared.InvalidInput invalid),

  /** True if there was such a user. */
  bool remove(1: UserId id),

  Statistics statistics(),

  /** Note that a user was active just now. Users that do not exist are left alone. */
  oneway void seen(1: UserId id)
}
