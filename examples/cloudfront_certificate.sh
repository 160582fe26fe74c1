#!/bin/sh
# Make cloudfront.pem, with which CloudFront shows API Gateway who it is, and ca.pem, the authority that signs it. To renew
# cloudfront.pem within its 398 days, run it again where ca.key is. Whoever has ca.key or cloudfront.key can pose as CloudFront.
set -eu
umask 077
[ -f ca.key ] || openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 3650 -subj "/CN=Waitpoints CA" -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj "/CN=CloudFront" -keyout cloudfront.key -out cloudfront.csr
printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n' >cloudfront.ext
openssl x509 -req -in cloudfront.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 398 -extfile cloudfront.ext -out cloudfront.pem
openssl verify -CAfile ca.pem -purpose sslclient cloudfront.pem
