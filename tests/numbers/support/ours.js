// How the gateway reads numbers: its own code, in `core/examples/numbers.rs`.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const built = fileURLToPath(new URL('../../../target/debug/wapid', import.meta.url));
const reader = join(dirname(process.env.WAPID_BINARY ?? built), 'examples', 'numbers');
if (!existsSync(reader)) throw new Error(`${reader} does not exist; run \`cargo build --workspace --examples\``);

/** For each `{ home, text }` the digits, or `! ` and why they are refused. */
export function weRead(rows) {
  const input = rows.map(({ home, text }) => `${home}\t${text}\n`).join('');
  const { status, stdout, stderr } = spawnSync(reader, { input, maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`numbers ended with ${status}: ${stderr}`);
  const read = stdout.toString().trimEnd().split('\n');
  if (read.length !== rows.length) throw new Error(`${rows.length} texts, ${read.length} answers`);
  return read;
}
