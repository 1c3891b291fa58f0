import type { Words } from '../en/index.ts';
import { admin } from './admin.ts';
import { call } from './call.ts';
import { calls } from './calls.ts';
import { chat } from './chat.ts';
import { customer } from './customer.ts';
import { desk } from './desk.ts';
import { embed } from './embed.ts';
import { floor } from './floor.ts';
import { lines } from './lines.ts';
import { missed } from './missed.ts';
import { nav } from './nav.ts';
import { phone } from './phone.ts';
import { secure } from './secure.ts';
import { shelf } from './shelf.ts';
import { shell } from './shell.ts';
import { supervise } from './supervise.ts';
import { texts } from './texts.ts';
import { wallboard } from './wallboard.ts';

export const zhCN: Words = {
  ...admin,
  ...call,
  ...calls,
  ...chat,
  ...customer,
  ...desk,
  ...embed,
  ...floor,
  ...lines,
  ...missed,
  ...nav,
  ...phone,
  ...secure,
  ...shelf,
  ...shell,
  ...supervise,
  ...texts,
  ...wallboard,
};
