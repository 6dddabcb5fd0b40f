/**
 * A process that writes one row after another and says the name of each on a line once it is acknowledged.
 *   node test/children/database-writer.ts DATA_DIR PREFIX COUNT
 */
import { openDatabase } from "../../lib/db.ts";
import { saveMeta } from "../../lib/store/meta.ts";

const [dataDir = "", prefix = "", count = "1"] = process.argv.slice(2);
const database = openDatabase(dataDir);

for (let number = 0; number < Number(count); number += 1) {
  const key = `${prefix}-${number}`;
  await database.write((sql) => {
    saveMeta(sql, key, "written");
  });
  process.stdout.write(`${key}\n`);
}
