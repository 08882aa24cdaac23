// Initiates the replica set when it is new, then makes or renews the roles of roles.json and a user for each.
//
//   mongosh --norc --file roles.js mongodb://HOST:27017/admin
//
// CPD_SECRETS names a directory with the administrator's password in `root` and each user's in a file of its name;
// CPD_HOST the member that a new replica set begins with. Running it again changes nothing but rotated passwords.
const fs = require("fs");
const path = require("path");

const secretsIn = process.env.CPD_SECRETS || "/run/secrets";
const secret = (name) => fs.readFileSync(path.join(secretsIn, name), "utf8").trim();
const wanted = JSON.parse(fs.readFileSync(path.join(__dirname, "roles.json"), "utf8"));

const privilegesOf = (role) => {
  const named = wanted.roles[role];
  const collections = [...wanted.collections, ...(named["*"] ? [] : Object.keys(named))];
  const granted = [...new Set(collections)].map((name) => ({
    resource: { db: wanted.database, collection: name },
    actions: named[name] || named["*"] || [],
  }));
  const whole = wanted.whole_database[role];
  const database = whole ? [{ resource: { db: wanted.database, collection: "" }, actions: whole }] : [];
  return [...granted, ...database].filter((privilege) => privilege.actions.length > 0);
};

const initiate = () => {
  const admin = db.getSiblingDB("admin");
  admin.auth("root", secret("root"));
  try {
    rs.status();
  } catch (error) {
    if (error.codeName !== "NotYetInitialized") throw error;
    rs.initiate({ _id: "rs0", members: [{ _id: 0, host: process.env.CPD_HOST || "mongodb:27017" }] });
  }
  while (!admin.hello().isWritablePrimary) sleep(200);
};

const grant = () => {
  const target = db.getSiblingDB(wanted.database);
  for (const role of Object.keys(wanted.roles)) {
    const body = { privileges: privilegesOf(role), roles: [] };
    if (target.getRole(role)) target.updateRole(role, body);
    else target.createRole({ role, ...body });
  }
  for (const [user, role] of Object.entries(wanted.users)) {
    const body = { pwd: secret(user.replace(/^cpd-/, "")), roles: [{ role, db: wanted.database }] };
    if (target.getUser(user)) target.updateUser(user, body);
    else target.createUser({ user, ...body });
  }
};

initiate();
grant();
print("replica set, roles and users are in place");
