/**
 * PCP (RFC 6887 8.2) on a router of a lab: whoever asks from whatever network is told whether the address in the request is
 * the one that the packet came from. miniupnpd answers its own network alone, so it says nothing past another router.
 * It maps nothing. Argument: the router's address inside.
 */
import { createSocket } from 'node:dgram';
import { parseIpv4 } from '../../src/core/inet.ts';
import { PCP_PORT, PCP_RESULTS } from '../../src/wire/pcp.ts';

const socket = createSocket('udp4');
const begun = Date.now();
socket.on('message', (request, from) => {
  if (request.length < 60 || request[0] !== 2 || request[1] !== 1) return;
  const isSame = request.readUInt32BE(20) === parseIpv4(from.address);
  const answer = Buffer.from(request);
  answer[1] = 129;
  answer[3] = isSame ? 0 : PCP_RESULTS.indexOf('ADDRESS_MISMATCH');
  answer.writeUInt32BE(0, 4);
  answer.writeUInt32BE(Math.floor((Date.now() - begun) / 1000), 8);
  socket.send(answer, from.port, from.address);
});
socket.bind(PCP_PORT, process.argv[2]);
