import { z } from 'zod';
import { ErrorBody, jobLine } from './schema.ts';

/** How routes say what they take and answer. */

const failed = {
  description: 'It failed; `code` is one of docs/reference/errors.md, `hint` says what to do.',
  content: { 'application/json': { schema: ErrorBody } },
};

/** A short call: one JSON object. */
export function answers<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { 200: { description, content: { 'application/json': { schema } } }, default: failed };
}

/** Typed so loosely (no media type, no `default`) that handlers may return a plain `Response` of JSON lines. */
type Lines = {
  200: { description: string; content: Record<string, { schema: z.ZodType }> };
};

/** A long call: JSON lines with progress, then the result. */
export function reports(schema: z.ZodType, description: string): Lines {
  return lines(`JSON lines: progress, then the result. ${description}`.trim(), jobLine(schema));
}

export function lines(description: string, schema: z.ZodType): Lines {
  const all = {
    200: { description, content: { 'application/x-ndjson': { schema } } },
    default: failed,
  };
  return all;
}

export function json<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}

/** Text format 0.0.4 of Prometheus. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function text(description: string, type: string): Lines {
  const all = { 200: { description, content: { [type]: { schema: z.string() } } }, default: failed };
  return all;
}
