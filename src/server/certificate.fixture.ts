// A certificate for localhost that signs itself, made for tests and of no use for anything else.
export const certificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUSbOogbql0KKK0XUzgT8H/zJgCMcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODAwMzU0MVoYDzIxMjYxMTA0
MDAzNTQxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARwPNoAXkaoNdeyewYPSlX8yWVznMxELjRskZ79T8mxLNhJHUlwuEXs
SIf1GUtmFTuf/sboq83tHbW25f2yxQy8o28wbTAdBgNVHQ4EFgQUdfZHJsiTp5Bn
Q1pdbtpcaj9jOXwwHwYDVR0jBBgwFoAUdfZHJsiTp5BnQ1pdbtpcaj9jOXwwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAOtr55gaKaURzb1cxu+7smXi4QwKWrsCIdI3zMD0AuYTAiBJ
h0U1KGXDVRr2jqDkzjgplKWkrVRu5I6ft0tjS3mOug==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgN4zV1VLa1sAvLKYj
8z6z+mwhu7Qf+ol5z2A0rMy8uaihRANCAARwPNoAXkaoNdeyewYPSlX8yWVznMxE
LjRskZ79T8mxLNhJHUlwuEXsSIf1GUtmFTuf/sboq83tHbW25f2yxQy8
-----END PRIVATE KEY-----
`,
};
