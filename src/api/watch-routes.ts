import { createRoute } from '@hono/zod-openapi';
import { z } from 'zod';
import { NoticeTested } from '../core/notify.ts';
import { METRICS_TYPE, reports, text } from './describe.ts';
import { withoutBody } from './guard.ts';
import { NoQuery } from './schema.ts';

/** For those who watch over a gateway. */

export const WATCH_READS = {
  metrics: createRoute({
    method: 'get',
    path: '/v1/metrics',
    summary: 'What is measured, in the text format of Prometheus',
    request: { query: NoQuery },
    responses: text('Gauges.', METRICS_TYPE),
  }),
};

export const WATCH_WRITES = {
  testNotices: createRoute({
    method: 'post',
    path: '/v1/notify/test',
    summary: 'Send a test to everybody who is told what is wrong',
    request: { query: NoQuery },
    middleware: withoutBody,
    responses: reports(z.array(NoticeTested), 'Who took it.'),
  }),
};
