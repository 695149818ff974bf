package configfield

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/redpanda-data/benthos/v4/public/service/securetls"
)

// ParseCertificate reads two fields of an object, which name the files of a server's certificate and its key. It gives the settings of a server
// with TLS; nil if neither field is set.
func ParseCertificate(conf *service.ParsedConfig, object, certFile, keyFile string) (*tls.Config, error) {
	cert, err1 := conf.FieldString(object, certFile)
	key, err2 := conf.FieldString(object, keyFile)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	switch {
	case cert == "" && key == "":
		return nil, nil
	case cert == "" || key == "":
		return nil, fmt.Errorf("field '%s': need %s and %s", object, certFile, keyFile)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("field '%s': %w", object, err)
	}
	config := securetls.NewConfig(securetls.SecurityLevelNormal)
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
