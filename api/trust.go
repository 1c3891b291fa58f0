package api

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/xml"
	"html/template"
	"net/http"
	"strings"
	texttemplate "text/template"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"golang.org/x/text/language"

	"callbox/internal/localca"
)

// The pages by which people come to trust the box's own authority. They are to
// be had without a log-in and by plain HTTP: what is secret stays in the box,
// and who must not be fooled compares the fingerprint.
func trust() []route {
	page := func(h func(*API, http.ResponseWriter, *http.Request)) func(*API, route) {
		return raw(func(a *API) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if a.cfg.Way.Authority == nil {
					a.fail(w, r, huma.NewError(http.StatusNotFound, "this box signs no certificates itself (http.tls.self_signed)"))
					return
				}
				h(a, w, r)
			}
		})
	}
	return []route{
		{"GET", "/ca", "how to trust the box's own authority", open, page((*API).trustPage)},
		{"GET", "/ca.css", "the page's style", open, page((*API).trustStyle)},
		{"GET", "/ca.crt", "the authority's certificate, PEM", open, page((*API).trustFile)},
		{"GET", "/ca.mobileconfig", "the same as a profile for iOS and macOS", open, page((*API).trustProfile)},
	}
}

var (
	//go:embed ca.html
	trustHTML string
	//go:embed ca.css
	trustCSS string

	trustTemplate = template.Must(template.New("ca").Parse(trustHTML))
)

const trustPolicy = "default-src 'none'; img-src data:; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// trustView is what the page's template shows.
type trustView struct {
	Words       *trustWords
	Name        string // of the authority
	Fingerprint string
	Until       string
}

func (a *API) trustPage(w http.ResponseWriter, r *http.Request) {
	c := a.cfg.Way.Authority
	words := trustWordsFor(r)
	var b bytes.Buffer
	err := trustTemplate.Execute(&b, trustView{words, c.Subject.CommonName, localca.Fingerprint(c), c.NotAfter.Format("2006-01-02")})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", trustPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language")
	h.Set("Content-Language", words.Lang)
	send(w, "text/html; charset=utf-8", b.Bytes())
}

func (a *API) trustStyle(w http.ResponseWriter, _ *http.Request) {
	send(w, "text/css; charset=utf-8", []byte(trustCSS))
}

// trustFile is shown rather than kept: Firefox and iOS then offer to install it.
func (a *API) trustFile(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	send(w, "application/x-x509-ca-cert", localca.CertificatePEM(a.cfg.Way.Authority))
}

func send(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(body) // the browser went away: nobody to tell
}

// profile is what Apple's systems install (Configuration Profile Reference,
// com.apple.security.root).
var profile = texttemplate.Must(texttemplate.New("profile").Parse(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>PayloadContent</key>
	<array>
		<dict>
			<key>PayloadCertificateFileName</key><string>callbox-ca.crt</string>
			<key>PayloadContent</key><data>{{.Data}}</data>
			<key>PayloadDisplayName</key><string>{{.Name}}</string>
			<key>PayloadIdentifier</key><string>callbox.ca.{{.Inner}}</string>
			<key>PayloadType</key><string>com.apple.security.root</string>
			<key>PayloadUUID</key><string>{{.Inner}}</string>
			<key>PayloadVersion</key><integer>1</integer>
		</dict>
	</array>
	<key>PayloadDisplayName</key><string>{{.Name}}</string>
	<key>PayloadIdentifier</key><string>callbox.{{.Outer}}</string>
	<key>PayloadType</key><string>Configuration</string>
	<key>PayloadUUID</key><string>{{.Outer}}</string>
	<key>PayloadVersion</key><integer>1</integer>
</dict>
</plist>
`))

// trustProfile is the same each time, so that installing it twice replaces it.
func (a *API) trustProfile(w http.ResponseWriter, r *http.Request) {
	c := a.cfg.Way.Authority
	inner := uuid.NewSHA1(uuid.NameSpaceOID, c.Raw)
	var name, b bytes.Buffer
	if err := xml.EscapeText(&name, []byte(c.Subject.CommonName)); err != nil {
		a.fail(w, r, err)
		return
	}
	err := profile.Execute(&b, map[string]string{
		"Name": name.String(), "Data": base64.StdEncoding.EncodeToString(c.Raw),
		"Inner": strings.ToUpper(inner.String()), "Outer": strings.ToUpper(uuid.NewSHA1(inner, []byte("profile")).String()),
	})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	send(w, "application/x-apple-aspen-config", b.Bytes())
}

// trustWordsFor is the page's language: what ?lang= says, else Chinese unless
// the browser would rather read English.
func trustWordsFor(r *http.Request) *trustWords {
	wanted, _, err := language.ParseAcceptLanguage(firstWord(r.URL.Query().Get("lang"), r.Header.Get("Accept-Language")))
	if err != nil {
		return &trustChinese
	}
	if _, i, _ := linkLanguages.Match(wanted...); i == 1 {
		return &trustEnglish
	}
	return &trustChinese
}

// trustWords are the page's words in one language.
type trustWords struct {
	Lang, Title, Why, Download, Profile, Fingerprint, Compare, Valid, Systems, Done, Open string
	Other, OtherLang, OtherName                                                           string // the other language
	Steps                                                                                 []system
}

// system is how it is done on one of them.
type system struct {
	ID, Name string
	Steps    []step
}

// step is one thing to do; Code is what is to be typed for it.
type step struct{ Text, Code string }

// Commands are the same in both languages.
const (
	codeWindows  = "certutil -user -addstore Root ca.crt"
	codeMac      = "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.crt"
	codeTools    = "sudo apt install libnss3-tools"
	codeChromium = `for d in "$HOME/.pki/nssdb" "$HOME/.local/share/pki/nssdb"; do mkdir -p "$d"; certutil -d "sql:$d" -A -t C,, -n callbox -a -i ca.crt; done`
	codeLinux    = "sudo cp ca.crt /usr/local/share/ca-certificates/callbox.crt && sudo update-ca-certificates"
)

var trustChinese = trustWords{
	Lang: "zh-Hans", Title: "信任这台 callbox", Why: "浏览器只在可信的 https 页面上开放麦克风。这台设备的证书由它自己的证书颁发机构签发，每台电脑或手机安装一次即可，有效期内更换地址无需重装。",
	Download: "下载证书 ca.crt", Profile: "苹果设备描述文件", Fingerprint: "SHA-256 指纹", Compare: "安装前请与管理员核对指纹，不一致就不要安装。",
	Valid: "有效期至", Systems: "按系统安装", Done: "安装完成后", Open: "打开 callbox",
	Other: "?lang=en", OtherLang: "en", OtherName: "English",
	Steps: []system{
		{"windows", "Windows（Chrome、Edge）", []step{
			{Text: "下载 ca.crt，双击打开，按“安装证书”。"},
			{Text: "选“当前用户”（整台电脑共用选“本地计算机”），再选“将所有的证书都放入下列存储”，浏览并选中“受信任的根证书颁发机构”。"},
			{Text: "确认安装，关闭所有浏览器窗口后重新打开。"},
			{Text: "也可在下载目录用命令安装：", Code: codeWindows},
		}},
		{"macos", "macOS（Safari、Chrome）", []step{
			{Text: "下载 ca.crt，双击打开，在“钥匙串访问”中加入“系统”或“登录”钥匙串。"},
			{Text: "双击该证书，展开“信任”，“使用此证书时”选“始终信任”，关闭窗口并输入密码。"},
			{Text: "也可在终端用命令安装：", Code: codeMac},
		}},
		{"linux", "Linux（Chrome、Chromium、Edge）", []step{
			{Text: "安装 certutil：", Code: codeTools},
			{Text: "导入证书，然后重新打开浏览器：", Code: codeChromium},
			{Text: "供 curl 等其他程序使用：", Code: codeLinux},
		}},
		{"android", "Android（Chrome）", []step{
			{Text: "下载 ca.crt。"},
			{Text: "打开“设置”，搜索“CA 证书”（一般在 安全 › 更多安全设置 › 加密与凭据 › 安装证书 › CA 证书），选“仍然安装”。"},
			{Text: "选中下载的 ca.crt。手机需已设置锁屏密码。"},
		}},
		{"ios", "iPhone、iPad（Safari）", []step{
			{Text: "用 Safari 打开上面的“苹果设备描述文件”，选“允许”。"},
			{Text: "打开“设置”›“已下载描述文件”，按“安装”。"},
			{Text: "打开“设置”›“通用”›“关于本机”›“证书信任设置”，打开对该证书的完全信任。"},
		}},
		{"firefox", "Firefox（各系统）", []step{
			{Text: "打开 设置 › 隐私与安全 › 证书 › 查看证书 › 证书颁发机构 › 导入，选中 ca.crt。"},
			{Text: "勾选“信任由此证书颁发机构来标识网站”。"},
		}},
	},
}

var trustEnglish = trustWords{
	Lang: "en", Title: "Trust this callbox", Why: "Browsers give the microphone to trusted https pages only. This box's certificate comes from an authority of its own: install that once on each computer or phone. It stays good when the box's address changes.",
	Download: "Download ca.crt", Profile: "Profile for Apple devices", Fingerprint: "SHA-256 fingerprint",
	Compare: "Compare the fingerprint with your administrator's before you install it. If they differ, do not.",
	Valid:   "Valid until", Systems: "Install it", Done: "When it is installed", Open: "Open callbox",
	Other: "?lang=zh", OtherLang: "zh-Hans", OtherName: "中文",
	Steps: []system{
		{"windows", "Windows (Chrome, Edge)", []step{
			{Text: "Download ca.crt, open it, and press Install Certificate."},
			{Text: "Choose Current User (or Local Machine, for everybody who uses the computer), then Place all certificates in the following store, and browse to Trusted Root Certification Authorities."},
			{Text: "Confirm, close all windows of the browser and open it again."},
			{Text: "Or by a command, in the folder of the download:", Code: codeWindows},
		}},
		{"macos", "macOS (Safari, Chrome)", []step{
			{Text: "Download ca.crt and open it; Keychain Access adds it to the System or login keychain."},
			{Text: "Open the certificate there, unfold Trust, choose Always Trust for When using this certificate, close the window and give your password."},
			{Text: "Or by a command in Terminal:", Code: codeMac},
		}},
		{"linux", "Linux (Chrome, Chromium, Edge)", []step{
			{Text: "Install certutil:", Code: codeTools},
			{Text: "Import the certificate, then open the browser again:", Code: codeChromium},
			{Text: "For curl and other programs:", Code: codeLinux},
		}},
		{"android", "Android (Chrome)", []step{
			{Text: "Download ca.crt."},
			{Text: "Open Settings and search for CA certificate (mostly Security › More security settings › Encryption & credentials › Install a certificate › CA certificate), and choose Install anyway."},
			{Text: "Choose the downloaded ca.crt. The phone needs a screen lock."},
		}},
		{"ios", "iPhone, iPad (Safari)", []step{
			{Text: "Open Profile for Apple devices above in Safari and choose Allow."},
			{Text: "Open Settings › Profile Downloaded and press Install."},
			{Text: "Open Settings › General › About › Certificate Trust Settings and turn on full trust for it."},
		}},
		{"firefox", "Firefox (all systems)", []step{
			{Text: "Open Settings › Privacy & Security › Certificates › View Certificates › Authorities › Import and choose ca.crt."},
			{Text: "Tick Trust this CA to identify websites."},
		}},
	},
}
