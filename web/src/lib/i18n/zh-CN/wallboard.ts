import type { wallboard as en } from '../en/wallboard.ts';

export const wallboard: Record<keyof typeof en, string> = {
  'wall.title': '服务台',
  'wall.stale': '数据已有 {age} 未更新：与 callbox 的连接中断。',
  'wall.refused': 'callbox 不接受此地址中的密钥，请向管理员索取新的大屏密钥。',
  'wall.waiting': '人排队',
  'wall.ready': '空闲坐席',
  'wall.longest': '最长等待',
  'wall.short': '短时',
  'wall.day': '今日',
  'wall.staff': '坐席',
  'wall.page': '{n} / {all}',
};
