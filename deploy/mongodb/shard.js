// Shards the collections that grow with the members, by the keys of shards.json; run once, through a mongos, after
// `cpd-bridge migrate`:   mongosh --norc --file shard.js mongodb://MONGOS:27017/admin
// docs/deployment.md says why these keys, and which collections stay whole.
const fs = require("fs");
const path = require("path");

const database = JSON.parse(fs.readFileSync(path.join(__dirname, "roles.json"), "utf8")).database;
const keys = JSON.parse(fs.readFileSync(path.join(__dirname, "shards.json"), "utf8"));

for (const [name, key] of Object.entries(keys)) {
  db.getSiblingDB(database).getCollection(name).createIndex(key);
  sh.shardCollection(`${database}.${name}`, key);
}
print(`${Object.keys(keys).length} collections of ${database} are sharded`);
