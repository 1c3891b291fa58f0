import type { nav as en } from '../en/nav.ts';

export const nav: Record<keyof typeof en, string> = {
  'nav.label': '页面',
  'nav.desk': '工作台',
  'nav.floor': '现场',
  'nav.calls': '通话',
  'nav.recordings': '录音',
  'nav.missed': '未接来电',
  'nav.texts': '短信',
  'nav.chat': '内部消息',
  'nav.admin': '管理',
  'nav.unknown': '没有这个页面。',
  'nav.home': '返回首页',
  'nav.failed': '页面未能载入。',
  'nav.again': '重试',
};
