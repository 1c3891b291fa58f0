import type { floor as en } from '../en/floor.ts';

export const floor: Record<keyof typeof en, string> = {
  'queues.title': '队列',
  'queues.waiting': '排队',
  'queues.longest': '最长等待',
  'queues.ready': '空闲坐席',
  'queues.none': '没有队列',

  'floor.agents': '坐席',
  'floor.noAgents': '没有坐席',
  'floor.live': '进行中的通话',
  'floor.noLive': '没有进行中的通话',
  'floor.with': '对方 {number}',
  'floor.away': '页面已断开',
};
