import { home } from './en/home.ts';
import { leaks } from './en/leaks.ts';
import { line } from './en/line.ts';
import { path } from './en/path.ts';
import { report } from './en/report.ts';

/**
 * English, by which the others go. For somebody who does not know what NAT means: what is wrong, how it was seen, what to
 * do. A finding's `seen` follows the word "Seen:", its steps the word "Fix:".
 */
export const en = { ...report, ...line, ...path, ...home, ...leaks };
