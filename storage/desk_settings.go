package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// DeskSettings are what agents' pages are set to: the site's section desk. In
// links the places of [cti.LinkVars] are filled in.
type DeskSettings struct {
	Reasons      []Reason    `json:"reasons" yaml:"reasons" required:"false"`
	Dispositions []Subject   `json:"dispositions" yaml:"dispositions" required:"false"`
	Kinds        []CallKind  `json:"kinds" yaml:"kinds" required:"false"`
	Pop          PopSettings `json:"pop" yaml:"pop" required:"false"`
	Urge         Urging      `json:"urge" yaml:"urge" required:"false"`
	Texts        []string    `json:"texts" yaml:"texts" required:"false" doc:"templates at hand, by id"`
	EmbedOrigins []string    `json:"embed_origins" yaml:"embed_origins" required:"false" doc:"whose pages may show the desk in a frame"`
}

// Reason is why an agent is not ready; from Limit on its timer is an alarm.
type Reason struct {
	Code  string   `json:"code" yaml:"code"`
	Name  string   `json:"name" yaml:"name"`
	Limit Duration `json:"limit,omitempty" yaml:"limit,omitempty" minimum:"0"`
}

// Subject is what a call can have been about, with what it divides into.
type Subject struct {
	Code     string    `json:"code" yaml:"code"`
	Name     string    `json:"name" yaml:"name"`
	Children []Subject `json:"children,omitempty" yaml:"children,omitempty"`
}

// Kinds of calls.
const (
	KindConsult   = "consult"
	KindRepair    = "repair"
	KindComplaint = "complaint"
	KindPurchase  = "purchase"
)

// CallKinds are all kinds of calls.
var CallKinds = []string{KindConsult, KindRepair, KindComplaint, KindPurchase}

// CallKind is a kind of calls; URL is where a ticket of that kind is begun.
type CallKind struct {
	Code string `json:"code" yaml:"code"`
	Name string `json:"name" yaml:"name" required:"false"`
	URL  string `json:"url" yaml:"url" required:"false"`
}

// Ways in which a pop's link is opened.
const (
	OpenTab   = "tab"
	OpenFrame = "frame"
	OpenNone  = "none"
)

// PopSettings say what is opened beside a screen pop, and how.
type PopSettings struct {
	URL  string `json:"url" yaml:"url" required:"false"`
	Open string `json:"open" yaml:"open" required:"false" doc:"tab, frame or none"`
}

// Urging is how an open ticket is urged: by which template, and to whom where
// the ticket does not say.
type Urging struct {
	Template string `json:"template" yaml:"template" required:"false"`
	To       string `json:"to" yaml:"to" required:"false"`
}

// kindNames are what kinds are called where nobody says otherwise.
var kindNames = map[string]string{KindConsult: "咨询", KindRepair: "报修", KindComplaint: "抱怨", KindPurchase: "购买"}

// Filled are the settings with what holds where they say nothing; no list is
// nil.
func (s DeskSettings) Filled() DeskSettings {
	if s.Reasons == nil {
		s.Reasons = []Reason{
			{Code: "lunch", Name: "午餐"},
			{Code: "break", Name: "小休"},
			{Code: "training", Name: "培训"},
			{Code: "meeting", Name: "会议"},
		}
	}
	kinds := append([]CallKind{}, s.Kinds...)
	if s.Kinds == nil {
		for _, code := range CallKinds {
			kinds = append(kinds, CallKind{Code: code})
		}
	}
	for i, k := range kinds {
		if k.Name == "" {
			kinds[i].Name = kindNames[k.Code]
		}
	}
	s.Kinds = kinds
	if s.Pop.Open == "" {
		s.Pop.Open = OpenNone
		if s.Pop.URL != "" {
			s.Pop.Open = OpenTab
		}
	}
	s.Dispositions = append([]Subject{}, s.Dispositions...)
	s.Texts = append([]string{}, s.Texts...)
	s.EmbedOrigins = append([]string{}, s.EmbedOrigins...)
	return s
}

// deskDocument is the one object of its kind.
const deskDocument = "desk"

func putDeskSettings(_ *DB, tx *sql.Tx, s DeskSettings) error {
	doc, err := json.Marshal(s.Filled())
	if err != nil {
		return err
	}
	return putObject(tx, deskKind, deskDocument, 0, doc)
}

// DeskSettings are those of the site, or what holds without.
func (d *DB) DeskSettings(ctx context.Context) (s DeskSettings, err error) {
	doc, err := d.Document(ctx, deskDocument, deskDocument)
	switch {
	case errors.Is(err, ErrNotFound):
		return s.Filled(), nil
	case err != nil:
		return s, err
	}
	if err := json.Unmarshal(doc, &s); err != nil {
		return s, fmt.Errorf("desk settings: %w", err)
	}
	return s.Filled(), nil
}
