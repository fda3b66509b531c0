// The embedded store in memory, as tests and `godwit/testing` use it.
import { openSqliteStore } from "./sqlite.ts";
import { storeSuite } from "./store.suite.ts";

storeSuite("memory", async (t) => {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  return store;
});
