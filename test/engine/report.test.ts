import { expect, it } from 'vitest';
import { judgeListeners } from '../../src/engine/report.ts';

const shop = { name: 'shop', port: 80, address: '10.64.1.2' };

it.each(['0.0.0.0', '*', '::', '10.64.1.2'])('is content with a service that listens on %s', (address) => {
  expect(judgeListeners(shop, [{ address, port: 80 }]).status).toBe('yes');
});

it('names a service that listens on 127.0.0.1 only, and what to change', () => {
  const { status, message } = judgeListeners(shop, [{ address: '127.0.0.1', port: 80 }]);
  expect(status).toBe('no');
  expect(message).toContain('127.0.0.1:80 only');
  expect(message).toContain('0.0.0.0');
});

it('says what listens elsewhere when the port of the config is silent', () => {
  expect(judgeListeners(shop, [{ address: '0.0.0.0', port: 8080 }]).message).toContain('port 8080');
  expect(judgeListeners(shop, []).message).toBe('nothing listens on port 80 of shop yet');
});
