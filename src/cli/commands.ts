import type { Command } from './command.ts';
import { address } from './commands/address.ts';
import { backup, restore } from './commands/backup.ts';
import { certificateList, certificateRenew, certificateRevoke } from './commands/certificates.ts';
import { completion } from './commands/completion.ts';
import { demo } from './commands/demo.ts';
import { deviceImport } from './commands/device-import.ts';
import { deviceCard } from './commands/device-card.ts';
import { deviceGrant, deviceUngrant } from './commands/device-grant.ts';
import { deviceAdd, deviceList, deviceRenew, deviceRevoke } from './commands/device.ts';
import { doctor } from './commands/doctor.ts';
import { expose, unexpose } from './commands/expose.ts';
import { help, version } from './commands/help.ts';
import { events, generations, rollback } from './commands/history.ts';
import { daemon, down, helper, up } from './commands/lifecycle.ts';
import { install, uninstall, upgrade } from './commands/install.ts';
import { labDown, labExec, labList, labUp } from './commands/lab.ts';
import { notifyTest } from './commands/notify.ts';
import { nameList, nameRemove, nameSet } from './commands/name.ts';
import { ports } from './commands/ports.ts';
import { portsClose, portsOpen } from './commands/ports-through.ts';
import { qr } from './commands/qr.ts';
import { relayAdd } from './commands/relay-add.ts';
import { relayDown, relayHomes, relayInvite, relayRemoveHome } from './commands/relay-machine.ts';
import { relayInstall, relayServe, relayUp } from './commands/relay-up.ts';
import { relayJoin, relayList, relayRemove, relayRotate } from './commands/relay.ts';
import { serviceRun } from './commands/service-run.ts';
import { siteJoin } from './commands/site-join.ts';
import { siteAdd } from './commands/site.ts';
import { serviceShow } from './commands/service-show.ts';
import { serviceAdd, serviceList, serviceRemove, serviceSet } from './commands/service.ts';
import { plan, status } from './commands/status.ts';

/** Every command, in the order of the help. What is heavy is imported when a command runs. */
export const commands: readonly Command[] = [
  up,
  down,
  status,
  doctor,
  plan,
  serviceAdd,
  serviceSet,
  serviceRemove,
  serviceList,
  serviceShow,
  serviceRun,
  expose,
  unexpose,
  deviceAdd,
  deviceImport,
  deviceCard,
  deviceGrant,
  deviceUngrant,
  deviceRenew,
  deviceList,
  deviceRevoke,
  siteAdd,
  siteJoin,
  nameSet,
  nameList,
  nameRemove,
  certificateList,
  certificateRenew,
  certificateRevoke,
  address,
  relayUp,
  relayServe,
  relayInstall,
  relayDown,
  relayInvite,
  relayHomes,
  relayRemoveHome,
  relayAdd,
  relayJoin,
  relayList,
  relayRotate,
  relayRemove,
  qr,
  ports,
  portsOpen,
  portsClose,
  events,
  notifyTest,
  generations,
  rollback,
  backup,
  restore,
  install,
  upgrade,
  uninstall,
  labUp,
  labExec,
  labDown,
  labList,
  demo,
  daemon,
  helper,
  completion,
  help,
  version,
];
