import { expect, it } from 'vitest';
import { progressOn } from '../../src/cli/terminal.ts';

function notes() {
  const noted: string[] = [];
  const terminal = {
    print: () => undefined,
    note: (text: string) => void noted.push(text),
    hasColour: false,
    columns: 80,
  };
  return { noted, terminal };
}
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it('says to a script what takes longer than a second, also when that began within the first', async () => {
  const { noted, terminal } = notes();
  const progress = progressOn(terminal, false);
  progress('quick');
  progress('waiting for Tor');
  expect(noted).toEqual([]);
  await wait(1200);
  expect(noted).toEqual(['… waiting for Tor']);
  progress('later');
  expect(noted).toEqual(['… waiting for Tor', '… later']);
});

it('says everything at once to a person who watches', () => {
  const { noted, terminal } = notes();
  progressOn(terminal, true)('quick');
  expect(noted).toEqual(['… quick']);
});
