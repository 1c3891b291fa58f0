import type { wallboard as en } from '../en/wallboard.ts';

export const wallboard: Record<keyof typeof en, string> = {
  'wall.title': '服务台',
  'wall.stale': '数据已有 {age} 未更新：与 callbox 的连接中断。',
  'wall.refused': 'callbox 不接受此地址中的密钥，请向管理员索取新的大屏密钥。',
  'wall.waiting': '人排队',
  'wall.longest': '最长等待',
  'wall.ready': '空闲坐席',
  'wall.level': '{n} 秒接通率',
  'wall.answered': '已接听',
  'wall.abandoned': '已放弃',
  'wall.offered': '呼入',
  'wall.asa': '平均应答',
  'wall.aht': '平均处理',
  'wall.occupancy': '工时利用率',
  'wall.day': '今日',
};
