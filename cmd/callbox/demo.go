package main

import "errors"

type demoCmd struct{}

func (demoCmd) Run(s *session) error { return errors.New("callbox demo: not yet supported") }
