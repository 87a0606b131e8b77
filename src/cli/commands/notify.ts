import type { NoticeTested } from '../../core/notify.ts';
import { type Command, EXIT } from '../command.ts';
import { show } from '../report.ts';
import { plain } from '../terminal.ts';

export const notifyTest: Command = {
  name: 'notify test',
  summary: 'Send a test to everybody who is told when something is wrong',
  details: [
    'Who that is stands in gateway.yaml, in the section notify: docs/notifications.md. Exit code 1: somebody did not take it.',
  ],
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const { progress, signal } = context;
    const tested = await client.send<NoticeTested[]>('POST', '/v1/notify/test', undefined, progress, signal);
    show(context, tested, () => tested.map(lineOf).join('\n') || NOBODY);
    return tested.every(({ trouble }) => trouble === null) ? EXIT.ok : EXIT.warnings;
  },
};

const NOBODY = 'Nobody is told anything.\nnext: add a section notify to gateway.yaml, then gateway up';

function lineOf({ receiver, trouble }: NoticeTested): string {
  return trouble === null ? `told  ${plain(receiver)}` : `NOT   ${plain(receiver)}: ${plain(trouble)}`;
}
