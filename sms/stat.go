package sms

import "strings"

// statTexts are the words for a report's Stat where the operator set none
// (CMPP, table of Stat; the carriers' and resellers' lists for the rest).
var statTexts = map[string]string{
	statExpired: "validity ran out: the phone was off or out of reach",
	"DELETED":   "deleted at the centre",
	"UNDELIV":   "cannot be delivered: barred, suspended or no such number",
	"UNKNOWN":   "the centre does not know its state",
	"REJECTD":   "refused by the centre",

	"NOROUTE": "no route to this number",
	"BLACK":   "the number is on a blacklist",
	"KEYWORD": "a word in the text is not allowed",

	"MA:0001": "the number is on a blacklist",
	"MA:0002": "the text is not allowed",
	"MA:0003": "no route to this number",
	"MA:0005": "not a valid number",
	"MA:0006": "refused by the reseller",
	"MA:0021": "not a valid number",
	"MA:0022": "too many texts to this number",
	"MA:0023": "the number is on the account's blacklist",
	"MA:0024": "the text's template or signature is not registered",
	"MA:0026": "parts of a long text were missing",
	"MA:0027": "the number is on the channel's blacklist",
	"MA:0028": "the number's range is on a blacklist",
	"MA:0029": "the number's range is on the channel's blacklist",
	"MA:0051": "the message centre is not connected",
	"MA:0052": "not logged in at the message centre",
	"MA:0053": "could not be sent to the message centre",
	"MA:0054": "no answer from the message centre in time",
	"MB:1042": "too many texts wait for this number",
	"MB:1077": "the number is on a blacklist",
	"MB:1078": "no route to this number",
	"CJ:0007": "a word in the text is not allowed",
	"CJ:0008": "the text was refused at its review",
	"DB:0141": "the number is on a blacklist",
	"DB:0144": "the number is on a blacklist",
	"HD:0001": "the number is on a blacklist",
	"ID:0008": "too many texts at a time",
	"ID:0069": "the number is on a blacklist",
	"ID:0070": "the way to the number is interrupted",
	"ID:0072": "no route to this number",
	"ID:0076": "a word in the text is not allowed",
	"MK:0001": "no such number",
	"MK:0005": "texts are barred for this number",
	"MK:0008": "the phone is out of reach",
	"MK:0017": "the phone's memory is full",
	"MK:0023": "the phone was busy",
	"MK:0024": "the phone was off",
}

// statClasses are the elements that answer for a Stat of the form XX:code.
var statClasses = map[string]string{
	"MA": "no answer from the message centre", "MB": "error at the message centre", "MC": "no report from the message centre",
	"CA": "no answer from the prepaid system", "CB": "error at the prepaid system",
	"DA": "no answer from service management", "DB": "error at service management",
	"SA": "no answer from the service provider", "SB": "error at the service provider",
	"IA": "no answer from the next gateway", "IB": "error at the next gateway", "IC": "no report from the next gateway",
	"CJ": "refused by the reseller: text or number", "HD": "held back by the reseller: blacklist or too many texts",
	"ID": "error at the carrier's gateway",
	"MK": "the network could not bring it to the phone", "MI": "the network could not bring it to the phone",
	"MN": "the network could not bring it to the phone",
}

// statText is what a Stat means: the operator's words for it or for its class,
// else the built-in ones.
func (g *Gateway) statText(stat string) string {
	class, _, coded := strings.Cut(stat, ":")
	if text := g.Words(stat); text != "" {
		return text
	}
	if text, ok := statTexts[stat]; ok {
		return text
	}
	if !coded {
		return "not delivered"
	}
	return firstOf(g.Words(class), statClasses[class], "not delivered")
}
