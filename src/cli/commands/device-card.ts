import { readFile, writeFile } from 'node:fs/promises';
import type { CardCheck, DeviceCard } from '../../core/card.ts';
import { errnoOf, GatewayError } from '../../core/errors.ts';
import { type Command, type Context, EXIT, type Input } from '../command.ts';
import { segment, show } from '../report.ts';

export const deviceCard: Command = {
  name: 'device card',
  summary: 'Write down every way in that a device may use, for when one fails',
  details: [
    'A page in one file, without scripts: only services that the device was given, in the order in which ways in take over, each with the time of its last proof. It holds no key. Keep it on the device, or print it.',
    'Its code is made with the preshared key of the device’s tunnel, so that only the device and this home can tell whether it is genuine, and neither can prove it to others.',
    'Exit code of --check: 0 it is genuine, 1 it is not.',
  ],
  arguments: [{ name: 'NAME', completion: 'devices', summary: 'Name of the device' }],
  options: [
    { name: 'html', value: 'FILE', completion: 'file', summary: 'Write the page to this file' },
    { name: 'check', value: 'FILE', completion: 'file', summary: 'Say whether this home wrote that page' },
  ],
  examples: ['gateway device card phone --html phone.html'],
  run: async (input, context) => {
    const client = await context.client();
    const path = `/v1/devices/${segment(input.argument('NAME'))}/card`;
    if (input.text('check') !== undefined) return check(path, input, context);
    const card = await client.get<DeviceCard>(path, context.signal);
    const file = input.text('html');
    if (file === undefined) show(context, card, () => card.text);
    else {
      const { cardPage } = await import('../card-page.ts');
      await translated(file, () => writeFile(file, cardPage(card), { mode: 0o600 }));
      show(context, card, () => `Written: ${file}`);
    }
    return EXIT.ok;
  },
};

async function check(path: string, input: Input, context: Context): Promise<number> {
  const file = input.text('check') ?? '';
  const { readCardPage } = await import('../card-page.ts');
  const found = readCardPage(await translated(file, () => readFile(file, 'utf8')));
  if (found === undefined) {
    throw new GatewayError(`${file} is no card with a code`, { code: 'NotSupported', retry: 'never' });
  }
  const client = await context.client();
  const { progress, signal } = context;
  const answer = await client.send<CardCheck>('POST', `${path}/check`, found, progress, signal);
  show(context, answer, () =>
    answer.isGenuine ? 'It is genuine.' : 'It is not: somebody changed it, or wrote it.',
  );
  return answer.isGenuine ? EXIT.ok : EXIT.warnings;
}

async function translated<Result>(file: string, task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (error) {
    throw new GatewayError(`${file}: ${errnoOf(error) ?? 'it could not be used'}`, {
      code: 'PermissionDenied',
      retry: 'never',
      cause: error,
    });
  }
}
