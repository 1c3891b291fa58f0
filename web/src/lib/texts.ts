// Which answer belongs to which text.

import type { Incoming, Message } from './contract.ts';

export interface Sent {
  message: Message;
  /** Oldest first. */
  replies: Incoming[];
}

function answers(reply: Incoming, message: Message): boolean {
  if (reply.from !== message.to) return false;
  if (reply.job && message.job) return reply.job === message.job;
  return !!reply.ref && reply.ref === message.ref;
}

/** Puts each answer under the newest text that it answers; the others are kept beside. */
export function pair(sent: readonly Message[], inbox: readonly Incoming[]): { sent: Sent[]; others: Incoming[] } {
  const rows = sent.map((message): Sent => ({ message, replies: [] }));
  const others: Incoming[] = [];
  for (const reply of inbox) {
    const row = rows.find((one) => answers(reply, one.message));
    if (row) row.replies.unshift(reply);
    else others.push(reply);
  }
  return { sent: rows, others };
}

/** When a text was taken on: the earliest of its statuses' times. */
export function sentAt(message: Message): string {
  const times = Object.values(message.times ?? {}).filter((time): time is string => !!time);
  return times.sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? '';
}

/** Whether a ref is a work order's, not the id of a call that the text was about. */
export function isOrder(ref: string | undefined): boolean {
  return !!ref && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(ref);
}
