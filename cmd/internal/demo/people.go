package demo

// people are the sample customers; their numbers exist in no network.
func people() []customer {
	device := func(id, model, serial, place, warranty string) map[string]any {
		return map[string]any{"id": id, "model": model, "serial": serial, "place": place, "warranty_until": warranty}
	}
	return []customer{
		{"c1", "安顺物业", "+8613800138000", "杭州市西湖区文三路100号", true, device("d1", "KONE 3000", "SN-77120", "3号楼电梯", "2027-03-31")},
		{"c2", "湖滨酒店", "+8613700137001", "杭州市上城区湖滨路8号", false, device("d2", "Daikin VRV", "SN-20318", "2层机房", "2026-12-31")},
		{"c3", "城东小学", "+8613600136002", "杭州市江干区新塘路55号", false, device("d3", "格力 GMV6", "SN-55021", "教学楼", "2025-06-30")},
		{"c4", "沈阳机床杭州服务部", "+8613500135003", "杭州市滨江区江南大道1号", true, device("d4", "HTC2050", "SN-90911", "一车间", "2028-01-31")},
	}
}
