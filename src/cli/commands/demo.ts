import type { Command } from '../command.ts';

export const demo: Command = {
  name: 'demo',
  summary: 'Show it all in an internet in a box: a shop, reached over Tor and WireGuard',
  details: [
    'Builds a home with a router, a phone and a private Tor network from network namespaces, without root and without touching the network of this machine. It stays until Ctrl-C; gateway commands in another terminal talk to it.',
  ],
  arguments: [],
  options: [{ name: 'once', summary: 'End as soon as everything was proved' }],
  run: async (input, { isJson, signal }) => {
    const { demo: run } = await import('../demo.ts');
    return await run({ json: isJson, once: input.has('once'), signal });
  },
};
