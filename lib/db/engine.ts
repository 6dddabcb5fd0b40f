/** sql.js (SQLite as WebAssembly): databases as bytes in memory, and transactions on them. */
import initSqlJs, { type Database as Image, type SqlJsStatic, type Statement } from "sql.js";

export type SqlValue = string | number | null | Uint8Array;
export type Row = Readonly<Record<string, SqlValue>>;

/** What a transaction may do; synchronous, and of no use once the transaction is over. */
export interface Sql {
  /** All rows that a query gives. */
  all(query: string, params?: readonly SqlValue[]): readonly Row[];
  /** The first row, or undefined where there is none. */
  get(query: string, params?: readonly SqlValue[]): Row | undefined;
  /** Carries a statement out. Numbers must be whole and below 2^53: sql.js would round them silently. */
  run(query: string, params?: readonly SqlValue[]): void;
}

export type { Image };
export type Engine = SqlJsStatic;

let loading: Promise<Engine> | undefined;

/** Loads the WebAssembly file that lies beside sql.js in node_modules, once per process. */
export function loadEngine(): Promise<Engine> {
  loading ??= initSqlJs();
  return loading;
}

/**
 * Runs `fn` in one transaction and gives what it returned: "write" commits, "read" refuses writes.
 * Throws what `fn` throws; the image is then in an unknown state and must be closed.
 */
export function transaction<T>(image: Image, mode: "read" | "write", fn: (sql: Sql) => T): T {
  // What is deleted may be a secret: its bytes are not to stay in the file.
  image.run(
    `PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA query_only = ${mode === "read" ? "ON" : "OFF"}; BEGIN`,
  );
  const statements = openStatements(image);
  try {
    const result = fn(statements.sql);
    if (result instanceof Promise) throw new TypeError("A transaction's function must not be async.");
    statements.close();
    image.run(mode === "read" ? "ROLLBACK" : "COMMIT");
    return result;
  } finally {
    statements.close();
  }
}

/** Prepares each statement once. They must be closed before sql.js exports the image. */
function openStatements(image: Image): { readonly sql: Sql; readonly close: () => void } {
  const byQuery = new Map<string, Statement>();
  let isClosed = false;
  const bound = (query: string, params: readonly SqlValue[]): Statement => {
    if (isClosed) throw new Error("This transaction is over.");
    const statement = byQuery.get(query) ?? image.prepare(query);
    byQuery.set(query, statement);
    statement.bind(params.map(checked));
    return statement;
  };
  return {
    sql: {
      all: (query, params = []) => rows(bound(query, params)),
      get: (query, params = []) => firstRow(bound(query, params)),
      run: (query, params = []) => {
        const statement = bound(query, params);
        statement.step();
        statement.reset();
      },
    },
    close: () => {
      for (const statement of byQuery.values()) statement.free();
      byQuery.clear();
      isClosed = true;
    },
  };
}

function rows(statement: Statement): readonly Row[] {
  const columns = statement.getColumnNames();
  const found: Row[] = [];
  while (statement.step()) found.push(currentRow(statement, columns));
  statement.reset();
  return found;
}

/** An absent row would come as an empty one; only `step` tells. */
function firstRow(statement: Statement): Row | undefined {
  const row = statement.step() ? currentRow(statement, statement.getColumnNames()) : undefined;
  statement.reset();
  return row;
}

/** Twice as fast as sql.js's own getAsObject, which asks for the column names at every row. */
function currentRow(statement: Statement, columns: readonly string[]): Row {
  const values = statement.get();
  return Object.fromEntries(columns.map((column, index) => [column, values[index] ?? null]));
}

function checked(value: SqlValue): SqlValue {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`The database takes whole numbers below 2^53, not ${value}.`);
  }
  return value;
}
