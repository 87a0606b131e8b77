import { home } from './es/home.ts';
import { leaks } from './es/leaks.ts';
import { line } from './es/line.ts';
import { path } from './es/path.ts';
import { report } from './es/report.ts';
import type { Catalogue } from './message.ts';

/** Español. */
export const es: Catalogue = { ...report, ...line, ...path, ...home, ...leaks };
