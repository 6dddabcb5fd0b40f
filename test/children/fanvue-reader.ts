/**
 * A process of its own that asks Fanvue who the creator is, with the stored authorization, and prints the uuid.
 *   node test/children/fanvue-reader.ts API_URL AUTH_URL CLIENT_ID CLIENT_SECRET DATA_DIR
 */
import pino from "pino";
import { openFanvue } from "../../lib/fanvue/client.ts";

const [apiUrl = "", authUrl = "", clientId = "", clientSecret = "", dataDir = ""] = process.argv.slice(2);

const fanvue = openFanvue(
  { apiUrl, authUrl, clientId, clientSecret, redirectUri: "http://localhost/", apiPrefix: "/v1" },
  {
    dataDir,
    log: pino({ level: "silent" }),
    signal: new AbortController().signal,
    memory: { load: () => Promise.resolve(undefined), save: () => Promise.resolve() },
    retryBaseMs: 1,
  },
);
const me = await fanvue.fetchMe();
process.stdout.write(`${me.uuid}\n`);
