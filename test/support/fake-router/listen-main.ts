/** Prints what routers announce, as our daemon hears it: their address, and the mark. Argument: our address. */
import { SsdpAnnouncements } from '../../../src/system/mapping/ssdp-announcements.ts';

const tell = (text: string): void => void process.stdout.write(`${text}\n`);
const announcements = new SsdpAnnouncements(
  (router, { mark }) => tell(`${router} ${mark.bootId}`),
  (_level, message) => tell(message),
);
announcements.listen(process.argv[2] ?? '');
// Listening alone keeps no program running.
setTimeout(() => announcements.close(), 60_000);
