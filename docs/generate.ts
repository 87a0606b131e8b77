import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { providers } from '../providers/index.ts';
import { createApp, openApiDocument } from '../src/api/app.ts';
import { statusOf } from '../src/api/errors.ts';
import { commands } from '../src/cli/commands.ts';
import { configJsonSchema } from '../src/core/config.ts';
import type { Control } from '../src/core/control.ts';
import { ERROR_CODES, type ErrorCode } from '../src/core/errors.ts';
import { EVENT_TYPES } from '../src/core/events.ts';
import { Report } from '../src/doctor/types.ts';
import { apiReference } from './generate-api.ts';
import { cliReference } from './generate-cli.ts';
import { configReference } from './generate-config.ts';
import { findingsReference } from './generate-findings.ts';
import { providersReference, readmeWithMatrix } from './generate-providers.ts';
import { type JsonSchema, page, tableOf } from './markdown.ts';

const REFERENCE = join(import.meta.dirname, 'reference');
const README = join(import.meta.dirname, '../README.md');

/** Every generated file by name. `test/docs-fresh.test.ts` compares them with what is in docs/reference. */
export function referenceFiles(): ReadonlyMap<string, string> {
  // The description of the API comes from its routes alone; nothing of the gateway is asked.
  const document = openApiDocument(createApp({} as Control, () => undefined));
  const schema = configJsonSchema(providers);
  return new Map([
    ['cli.md', cliReference(commands)],
    ['api.md', apiReference(document)],
    ['openapi.json', json(document)],
    ['config.md', configReference(schema as JsonSchema)],
    ['gateway.schema.json', json(schema)],
    ['providers.md', providersReference(providers)],
    ['errors.md', errorsReference()],
    ['events.md', eventsReference()],
    ['findings.md', findingsReference()],
    ['report.schema.json', json({ ...z.toJSONSchema(Report), title: 'gateway doctor --json' })],
  ]);
}

/** README.md as it should be. */
export async function freshReadme(): Promise<string> {
  return readmeWithMatrix(await readFile(README, 'utf8'), providers);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function errorsReference(): string {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[];
  return page(
    'Errors',
    'Every expected failure has one of these codes; they are never renamed within a major version. Each comes with a message that names the thing and the value, and mostly with a hint: the next step.',
    tableOf(
      ['Code', 'Meaning', 'HTTP status'],
      [
        ...codes.map((code) => [`\`${code}\``, ERROR_CODES[code], String(statusOf(code))]),
        ['`Internal`', 'A bug of ours; the log of the daemon has the details.', '500'],
      ],
    ),
  );
}

function eventsReference(): string {
  return page(
    'Events',
    'What `gateway events` shows and `GET /v1/events` answers. Each event has a number (`seq`), a time (`at`), a `type`, a `message` for people and `data`. They are for people and tests: nothing depends on an event to be correct.',
    tableOf(
      ['Type', 'Meaning'],
      Object.entries(EVENT_TYPES).map(([type, meaning]) => [`\`${type}\``, meaning]),
    ),
  );
}

if (import.meta.main) {
  await mkdir(REFERENCE, { recursive: true });
  for (const [name, text] of referenceFiles()) await writeFile(join(REFERENCE, name), text);
  await writeFile(README, await freshReadme());
}
