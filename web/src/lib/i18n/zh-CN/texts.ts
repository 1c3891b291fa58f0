import type { texts as en } from '../en/texts.ts';

export const texts: Record<keyof typeof en, string> = {
  'sms.title': '发短信',
  'sms.to': '接收号码',
  'sms.text': '内容',
  'sms.send': '发送',
  'sms.sending': '正在发送…',
  'sms.useCaller': '填入当前来电号码',
  'sms.useCalled': '填入对方号码',
  'sms.landline': '该号码不是手机号，对方可能收不到短信。',
  'sms.parts.one': '{n} 条短信',
  'sms.parts.other': '{n} 条短信',
  'sms.left.one': '还可输入 {n} 字',
  'sms.left.other': '还可输入 {n} 字',
  'sms.signature': '签名会自动加在前面，也计入字数。',
  'sms.sentTo': '发给 {number}',
  'sms.ref': '关联当前通话',

  'texts.title': '今日短信',
  'texts.none': '今天还没有短信',
  'texts.replied': '回复',
  'texts.ref': '工单 {ref}',
  'texts.maybe': '可能重复发送',
  'texts.incomplete': '内容不完整',

  'inbox.title': '收到的短信',
  'inbox.from': '来自 {number}',

  'text.scheduled': '定时待发',
  'text.queued': '待发送',
  'text.submitting': '待发送',
  'text.submitted': '已提交',
  'text.delivered': '已送达',
  'text.failed': '发送失败',
  'text.expired': '已过期',
  'text.unknown': '结果未知',
  'text.canceled': '已取消',
};
