import type { lines as en } from '../en/lines.ts';

export const lines: Record<keyof typeof en, string> = {
  'lines.title': '电话线路',
  'lines.free': '空闲',
  'lines.busy': '占用',
  'lines.out': '停用',
  'lines.since': '自 {time} 起',
};
