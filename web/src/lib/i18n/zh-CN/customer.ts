import type { customer as en } from '../en/customer.ts';

export const customer: Record<keyof typeof en, string> = {
  'customer.tickets': '未结工单',
  'customer.noTickets': '没有未结工单',
  'customer.devices': '设备',
  'customer.history': '服务记录',
  'customer.numbers': '联系电话',
  'customer.warranty': '保修至 {date}',
  'customer.outOfWarranty': '已过保（{date}）',
  'customer.serial': '序列号 {serial}',
  'customer.opensNew': '在新窗口打开',
};
