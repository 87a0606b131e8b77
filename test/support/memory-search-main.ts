import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where in this machine's processes and files a secret lies; prints a line for each find, and `searched N bytes` at the end.
 *
 *   memory-search-main.ts PATTERN DIRECTORY HEX…    processes whose command line has PATTERN; the words to find, in hex
 */
const [pattern = '', directory = '', ...words] = process.argv.slice(2);
const needles = words.map((hex) => Buffer.from(hex, 'hex'));
const CHUNK = 8 * 1024 * 1024;
const OVERLAP = 256;
let searched = 0;

function look(where: string, data: Buffer): void {
  searched += data.length;
  for (const [index, needle] of needles.entries()) {
    if (data.includes(needle)) console.log(`word ${index} in ${where}`);
  }
}

function lookInProcess(pid: string, command: string): void {
  const mem = openSync(`/proc/${pid}/mem`, 'r');
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    const end = Number.parseInt(to, 16);
    for (let at = Number.parseInt(from, 16); at < end; at += CHUNK - OVERLAP) {
      const data = Buffer.alloc(Math.min(CHUNK, end - at));
      try {
        look(`process ${pid} (${command})`, data.subarray(0, readSync(mem, data, 0, data.length, at)));
      } catch {
        // A hole that the kernel lets nobody read.
        break;
      }
    }
  }
  closeSync(mem);
}

for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  if (new RegExp(pattern).test(command) && !command.includes('memory-search')) lookInProcess(pid, command);
}
for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
  const path = join(directory, name);
  if (statSync(path).isFile()) look(path, readFileSync(path));
}
console.log(`searched ${searched} bytes`);
